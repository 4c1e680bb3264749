"""The pages have routes of their own, which no app may take."""

from __future__ import annotations

import pytest

from underway.pages.door import ROUTE as DASHBOARD
from underway.pages.pings import ROUTE as PINGS
from underway.pages.publisher import ROUTE as STATUS
from underway.terms.problem import Refusal
from underway.terms.release import require_app_name


@pytest.mark.parametrize("name", [DASHBOARD, STATUS, PINGS])
def test_no_app_can_have_the_name_of_a_page(name):
    with pytest.raises(Refusal) as refused:
        require_app_name(name)
    assert "Underway's own pages" in refused.value.problems[0].why
