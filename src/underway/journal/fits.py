"""Whether a release's code runs on a schema, from what the journal holds."""

from __future__ import annotations

from underway.journal.app_state import AppState
from underway.terms.rehearsal import Fit, Runs


def fit_of(state: AppState, release: str, schema: str) -> Fit:
    """What is known of the code of `release` on the schema with this digest (empty: not known).

    What was tried counts first; then the schema it was made live on; then that every migration since only added.
    """
    it = state.releases[release]

    def found(runs: Runs, because: str) -> Fit:
        return Fit(release=release, schema=schema, runs=runs, because=because)

    if schema in it.fits and it.fits[schema].runs is not Runs.UNKNOWN:
        return it.fits[schema]
    if not schema or not (it.schema or state.schema):  # an app that makes its tables itself: no deploy read its schema
        if it.migrations == state.migrations:
            return found(Runs.YES, _CARRIED if it.migrations else _UNSEEN)
        return found(Runs.UNKNOWN, "the database carries other migrations than it was made for")
    if it.schema == schema:
        return found(Runs.YES, "it was live on this schema")
    before, seen = schema, {schema}
    while (before := state.additions.get(before, "")) and before not in seen:
        seen.add(before)
        tried = it.fits.get(before)
        if tried and tried.runs is Runs.NO:
            return tried
        if it.schema == before or (tried and tried.runs is Runs.YES):
            return found(Runs.YES, "every migration since then only added")
    if schema in it.fits:
        return it.fits[schema]
    return found(Runs.UNKNOWN, "it was never tried on this schema, and the migrations since then did more than add")


_CARRIED = "the database carries the migrations it was made for"
_UNSEEN = "no deploy has migrated the database; what the app's own code changes in it is not looked at"
