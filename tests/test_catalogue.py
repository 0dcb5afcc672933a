"""The catalogue of operations says what the declarations say."""

from __future__ import annotations

import re

from gradflow.testing.catalogue import catalogue
from process import CHECKOUT


def test_the_page_is_what_the_declarations_say() -> None:
    page = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert page == catalogue(), "python -m gradflow.testing.catalogue > docs/operations.md"


def test_the_catalogue_knows_what_is_known_of_some_operations() -> None:
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in catalogue().splitlines() if line.startswith("| ")}
    assert re.fullmatch(r"\| sigmoid \| yes \| gradient \| yes \| yes \| yes \| f2 f4 f8.*", rows["sigmoid"])
    assert re.fullmatch(r"\| matmul \| yes \| [a-z]+ \| yes \|  \| yes \| f2 f4 f8 c8 c16.*", rows["matmul"])
    assert "| itself |" in rows["reshape"]
    assert rows["argmax"].startswith("| argmax | none |  |")
    assert rows["adam_update"].startswith("| adam_update | in place |")
