"""Every page for who is logged in."""

from __future__ import annotations

from underway.access.rights import Right
from underway.pages import acts, entry, incidents, keeping, live, looks, people, records
from underway.pages.site import Page

PAGES: tuple[Page, ...] = (
    Page("GET", "/", looks.glance),
    Page("GET", "/live", live.glance),
    Page("GET", "/alerts", keeping.alerts),
    Page("POST", "/alerts", keeping.answer_alert, Right.HALT),
    Page("GET", "/alerts/silence", keeping.ask_silence, Right.HALT),
    Page("GET", "/security", records.security),
    Page("GET", "/journal", records.journal),
    Page("GET", "/people", people.show, Right.ADMIN),
    Page("POST", "/people", people.change, Right.ADMIN),
    Page("POST", "/log-out", entry.leave),
    Page("GET", "/apps/{app}", looks.overview),
    Page("GET", "/apps/{app}/live", live.overview),
    Page("GET", "/apps/{app}/acts/{act}", looks.act),
    Page("GET", "/apps/{app}/acts/{act}/live", live.act),
    Page("GET", "/apps/{app}/releases", looks.releases),
    Page("GET", "/apps/{app}/releases/{release}", looks.release),
    Page("GET", "/apps/{app}/releases/{release}/picture.svg", looks.picture),
    Page("GET", "/apps/{app}/logs", records.logs),
    Page("GET", "/apps/{app}/logs/live", live.logs),
    Page("GET", "/apps/{app}/errors", records.errors),
    Page("GET", "/apps/{app}/errors/{fingerprint}", records.error),
    Page("GET", "/apps/{app}/data", records.data),
    Page("GET", "/apps/{app}/environment", records.environment),
    Page("GET", "/apps/{app}/monitors", keeping.monitors),
    Page("GET", "/apps/{app}/rollback", acts.ask_rollback, Right.HALT),
    Page("POST", "/apps/{app}/rollback", acts.roll_back, Right.HALT),
    Page("GET", "/apps/{app}/orders/{order}", acts.ask_order),
    Page("POST", "/apps/{app}/orders/{order}", acts.give_order),
    Page("GET", "/apps/{app}/incidents", incidents.show),
    Page("POST", "/apps/{app}/incidents", incidents.tell, Right.DEPLOY),
    Page("GET", "/apps/{app}/maintenance", acts.ask_maintenance, Right.DEPLOY),
    Page("POST", "/apps/{app}/maintenance", acts.set_maintenance, Right.DEPLOY),
)
