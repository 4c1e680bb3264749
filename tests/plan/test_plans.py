"""Plans are pure: the same facts, the same plan; what a person would check in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from underway.journal.app_state import AppState, ReleaseState, SlotState
from underway.journal.events.acts import ActKind, Finished
from underway.manifest.build import BuildKeys, PythonBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest, Migrate, Process, Static
from underway.manifest.release import Approve, ReleaseKeys, Windows
from underway.manifest.services import Postgres, Redis, Services
from underway.manifest.smoke import Smoke
from underway.manifest.write import render
from underway.plan.deploy import plan_deploy
from underway.plan.facts import DeployFacts, DownFacts, RollbackFacts, route_for
from underway.plan.model import read_plan
from underway.plan.rollback import plan_down, plan_rollback
from underway.plan.strategy import Pace
from underway.plan.watch import plan_watch
from underway.ports.builds import BuildAsk
from underway.steps.back_up import BackUp
from underway.steps.lint_migrations import LintMigrations
from underway.steps.migrate import MigrateDatabase
from underway.steps.prune_releases import PruneReleases
from underway.steps.start_release import StartRelease, SwapWorkers
from underway.steps.switch_traffic import SwitchTraffic
from underway.terms.backup import Backup, Reason
from underway.terms.outcome import Outcome
from underway.terms.rehearsal import Fit, Runs
from underway.terms.release import Release, Slot, Source

SOURCE = Source(path="/repo", commit="3f2a91c" + "0" * 33, digest="d" * 64)
WEB = Process(command="serve", instances=2)
SHOP = Manifest(
    app="shop",
    build=BuildKeys(python=PythonBuild(manager="uv")),
    processes={"web": WEB},
    services=Services(postgres=Postgres(), redis=Redis()),
    migrate=Migrate(command="alembic upgrade head", paths=("migrations",)),
    env={"KEY": EnvVar(generate="hex", secret=True)},
)


def release_state(release, manifest=SHOP, migrations="m1", live_since=1.0, key=""):
    it = Release(id=release, app="shop", created_at=1.0, source=SOURCE, build_key=key or f"k-{release}")
    return ReleaseState(release=it, manifest=render(manifest), migrations=migrations, live_since=live_since)


def a_state(*releases, live="", slot=Slot.A, warm="", route=None):
    state = AppState(app="shop", migrations="m1" if releases else "", route=route)
    state.releases = {r: release_state(r) for r in releases}
    if live:
        state.live, state.live_slot = live, slot
        state.slots[slot] = SlotState(release=live, ports=(1, 2))
    if warm:
        state.slots[slot.other] = SlotState(release=warm, ports=(3, 4))
    return state


def facts(state=None, manifest=SHOP, release="r9", migrations="m1", is_built=False, ports=(5, 6), other_ports=(1, 2)):
    ask = BuildAsk(app="shop", source=SOURCE, build=manifest.build, static=manifest.static)
    return DeployFacts(
        release=release,
        manifest=manifest,
        manifest_text=render(manifest),
        ask=ask,
        key="k-new",
        is_built=is_built,
        migrations=migrations,
        state=state or AppState(app="shop"),
        ports=ports,
        other_ports=other_ports,
        url="http://shop.localhost:8080",
    )


def ids(plan):
    return [step.id for step in plan.steps]


def step(plan, kind):
    return next(step for step in plan.steps if isinstance(step, kind))


def test_a_first_deploy_does_everything_in_the_order_that_is_safe():
    assert ids(plan_deploy(facts())) == [
        "build",
        "provision_postgres",
        "provision_redis",
        "migrate",
        "start",
        "health",
        "route",
        "warm_up",
        "switch",
    ]


def test_the_same_facts_give_the_same_plan_byte_for_byte():
    assert plan_deploy(facts()).text() == plan_deploy(facts()).text()
    assert plan_deploy(facts()).digest == plan_deploy(facts()).digest


def test_a_plan_is_read_back_as_it_was_written():
    plan = plan_deploy(facts())
    assert read_plan(plan.text()).text() == plan.text()


def test_a_database_that_was_just_made_is_not_backed_up():
    assert step(plan_deploy(facts()), MigrateDatabase).backup == ""


def test_a_redeploy_without_new_migrations_neither_dumps_nor_migrates():
    plan = plan_deploy(facts(a_state("r1", live="r1"), migrations="m1"))
    assert not {"back_up", "migrate"} & set(ids(plan))


@pytest.mark.parametrize("migrations", ["m2", ""])
def test_new_or_unknown_migrations_are_run_after_a_dump_that_is_named(migrations):
    plan = plan_deploy(facts(a_state("r1", live="r1"), migrations=migrations))
    order = [each for each in ids(plan) if each in ("lint", "back_up", "rehearse", "migrate", "start", "switch")]
    assert order == ["lint", "back_up", "rehearse", "migrate", "start", "switch"]
    assert step(plan, MigrateDatabase).backup == "r9"


@pytest.mark.parametrize(
    "now",
    [
        replace(SHOP, services=Services(), shared=("db.sqlite3",)),
        replace(SHOP, shared=("uploads", "db.sqlite3")),
        replace(SHOP, services=Services(postgres=Postgres(url="${THEIRS}"))),
    ],
    ids=["a file of its own", "a file that outlives releases now", "a server of one's own"],
)
def test_the_same_migrations_are_run_where_the_data_is_elsewhere_now(now):
    assert "migrate" in ids(plan_deploy(facts(a_state("r1", live="r1"), manifest=now, migrations="m1")))


def test_migrations_stop_nothing_while_no_release_was_ever_live():
    """The first deploy failed after it had made the database: the next one may do to it what the first one could."""
    state = a_state("r1")
    state.releases["r1"] = release_state("r1", live_since=None)
    failed = plan_deploy(facts(state, migrations="m2"))
    assert not {"lint", "rehearse"} & set(ids(failed))
    assert {"back_up", "migrate"} <= set(ids(failed))
    assert not failed.notes
    assert {"lint", "rehearse"} <= set(ids(plan_deploy(facts(a_state("r1", live="r1"), migrations="m2"))))


@pytest.mark.parametrize("live", ["r2", ""])
def test_migrations_are_read_beside_those_that_the_database_carries_also_after_down(live):
    plan = plan_deploy(facts(a_state("r1", "r2", live=live), migrations="m2"))
    assert step(plan, LintMigrations).was_key == "k-r2"


def test_files_are_backed_up_whole_before_a_migration_where_they_hold_the_database():
    sqlite = replace(SHOP, services=Services(), shared=("data",))
    assert "back_up" not in ids(plan_deploy(facts(manifest=sqlite))), "nothing is there before the first deploy"
    plan = plan_deploy(facts(a_state("r1", live="r1"), migrations="m2", manifest=sqlite))
    assert ids(plan)[:5] == ["build", "lint", "back_up", "rehearse", "migrate"]
    assert not step(plan, BackUp).ask.only_databases, "the SQLite file may lie in a folder"
    assert "what is shared" in step(plan, MigrateDatabase).undo_says()


def test_a_database_of_the_users_own_is_migrated_but_not_dumped_or_provisioned():
    own = replace(SHOP, services=Services(postgres=Postgres(url="postgres://db.example/shop")))
    assert ids(plan_deploy(facts(manifest=own)))[:2] == ["build", "migrate"]


def test_the_new_release_goes_to_the_idle_slot_and_the_live_one_is_not_touched():
    route = route_for(SHOP, Slot.B, (1, 2), (5, 6))
    plan = plan_deploy(facts(a_state("r1", live="r1", slot=Slot.B, route=route)))
    assert step(plan, StartRelease).slot is Slot.A
    assert step(plan, SwitchTraffic).was == "r1"
    assert "free_slot" not in ids(plan)


def test_a_warm_release_is_drained_before_its_slot_is_taken():
    plan = plan_deploy(facts(a_state("r1", "r2", live="r2", warm="r1")))
    assert ids(plan).index("build") < ids(plan).index("free_slot") < ids(plan).index("start")


def test_nothing_is_told_to_the_proxy_when_hosts_and_ports_stay():
    route = route_for(SHOP, Slot.B, (5, 6), (1, 2))
    plan = plan_deploy(facts(a_state("r1", live="r1", route=route)))
    assert "route" not in ids(plan)


def test_workers_are_swapped_right_before_the_switch_and_named_for_the_way_back():
    manifest = replace(SHOP, processes={"web": WEB, "mail": Process(command="work")})
    state = a_state("r1", live="r1")
    state.releases["r1"] = release_state("r1", manifest)
    plan = plan_deploy(facts(state, manifest))
    assert ids(plan)[-2:] == ["swap_workers", "switch"]
    swap = step(plan, SwapWorkers)
    assert (set(swap.workers), swap.was, set(swap.was_workers)) == ({"mail"}, "r1", {"mail"})


def test_workers_that_the_new_release_has_no_more_are_stopped():
    state = a_state("r1", live="r1")
    state.releases["r1"] = release_state("r1", replace(SHOP, processes={"web": WEB, "mail": Process(command="work")}))
    assert step(plan_deploy(facts(state)), SwapWorkers).workers == {}


def test_an_app_of_static_files_needs_no_health_of_a_process():
    site = Manifest(app="shop", static=Static(dir="dist", spa=True))
    assert ids(plan_deploy(facts(manifest=site, ports=(), other_ports=(), migrations=""))) == [
        "build",
        "start",
        "route",
        "warm_up",
        "switch",
    ]


def test_old_releases_are_pruned_but_never_what_is_live_or_the_way_back():
    releases = [f"r{n}" for n in range(1, 9)]
    plan = plan_deploy(facts(a_state(*releases, live="r2")))
    prune = step(plan, PruneReleases)
    assert prune.releases == ("r1", "r3", "r4")
    assert "k-r2" in prune.keep_builds
    assert "k-new" in prune.keep_builds


def test_the_instant_strategy_is_not_watched_and_the_others_are():
    instant = replace(SHOP, release=ReleaseKeys(strategy="instant"))
    assert all(stage.watch is None for stage in plan_deploy(facts(manifest=instant)).stages)
    assert [stage.name for stage in plan_deploy(facts()).stages if stage.watch] == ["release"]


def test_every_step_says_what_it_does_and_what_undoing_means():
    for line in plan_deploy(facts()).lines():
        assert line.says
        assert line.undo
        assert "cannot be undone" in line.undo or not line.is_one_way


def rollback(is_warm, state, to="r1", manifest=SHOP, runs=Runs.YES, **more):
    return plan_rollback(
        RollbackFacts(
            state=state,
            to=to,
            manifest=manifest,
            key=f"k-{to}",
            is_warm=is_warm,
            ports=(3, 4),
            other_ports=(1, 2),
            url="u",
            live_manifest=SHOP,
            live_key="k-r2",
            fit=Fit(release=to, schema="s", runs=runs, because="it was tried"),
            **more,
        )
    )


def test_a_rollback_to_a_warm_release_is_the_switch_alone():
    plan = rollback(True, a_state("r1", "r2", live="r2", warm="r1"))
    assert ids(plan) == ["switch"]
    assert plan.kind is ActKind.ROLLBACK


def test_a_rollback_to_a_cold_release_starts_it_and_waits_for_health():
    plan = rollback(False, a_state("r1", "r2", live="r2"))
    assert ids(plan)[:2] == ["start", "health"]
    assert ids(plan)[-1] == "switch"


def test_a_rollback_over_a_migration_says_that_the_database_stays():
    state = a_state("r1", "r2", live="r2", warm="r1")
    assert not rollback(True, state).notes
    state.releases["r2"].has_migrated = True
    assert "r1 runs on its schema: it was tried" in rollback(True, state).notes[0]
    assert "NOT known" in rollback(True, state, runs=Runs.UNKNOWN).notes[0]


def test_a_rollback_with_the_data_pauses_the_app_while_the_data_is_replaced():
    point = Backup(id="b1", app="shop", reason=Reason.MIGRATION, at=1.0, took_s=1.0, parts=())
    plan = rollback(True, a_state("r1", "r2", live="r2", warm="r1"), point=point, safety="b2", runs=Runs.NO)
    order = [step.id for step in plan.steps]
    for before, after in (
        ("back_up", "restore_beside"),
        ("pause", "swap_data"),
        ("swap_data", "start"),
        ("health", "switch"),
    ):
        assert order.index(before) < order.index(after)
    assert order[-1] == "show"
    assert "backup b2" in plan.notes[0]


def test_taking_down_closes_the_route_before_anything_stops():
    state = a_state("r1", live="r1", route=route_for(SHOP, Slot.A, (1, 2), ()))
    assert ids(plan_down(DownFacts(state=state, instances=(), has_cache=False))) == ["unroute", "stop"]


def test_auto_is_a_canary_where_there_is_traffic_and_says_why():
    live = a_state("r1", live="r1")
    busy = plan_deploy(replace(facts(live), pace=Pace(3.1)))
    assert [stage.name for stage in busy.stages][:2] == ["prepare", "canary"]
    assert (busy.strategy, busy.because) == ("canary", "3.1 requests a second in the last 10 minutes")
    quiet = plan_deploy(replace(facts(live), pace=Pace(4 / 600)))
    assert quiet.strategy == "blue-green"
    assert quiet.because == "4 requests in the last 10 minutes, too little to compare two releases by"
    assert all(stage.rollout is None for stage in quiet.stages)
    asked = plan_deploy(replace(facts(live), pace=Pace(3.1), strategy="blue-green"))
    assert (asked.strategy, asked.because) == ("blue-green", "asked for with --strategy")
    first = plan_deploy(replace(facts(), pace=Pace(3.1)))
    assert first.strategy == "blue-green"
    assert first.watch_s == 0
    canary = replace(SHOP, release=ReleaseKeys(strategy="canary"))
    assert plan_deploy(facts(live, canary)).because.endswith("which is little to judge by")


def test_what_waits_for_people_waits_with_no_users():
    live = a_state("r1", live="r1")
    for keys in (ReleaseKeys(approve=Approve()), ReleaseKeys(windows=Windows(deny=("Sat",)))):
        plan = plan_deploy(facts(live, replace(SHOP, release=keys)))
        rollout = next(stage.rollout for stage in plan.stages if stage.rollout)
        assert (plan.strategy, rollout.policy.steps) == ("blue-green", (0.0,))


def test_smokes_are_made_before_any_user_and_their_secrets_are_in_no_plan():
    smoke = Smoke(path="/", headers={"Authorization": "${env.KEY}"})
    manifest = replace(SHOP, smokes=(smoke,))
    plan = plan_deploy(facts(a_state("r1", live="r1"), manifest))
    steps = [step.id for step in plan.steps]
    assert steps.index("warm_up") < steps.index("probe") < steps.index("switch")
    assert read_plan(plan.text()) == plan


def test_the_watch_after_a_deploy_knows_its_way_back():
    state = a_state("r1", "r2", live="r2", warm="r1")
    state.previous, state.releases["r2"].strategy = "r1", "blue-green"
    assert plan_watch(state, "") is None, "nothing was deployed"
    state.last = Finished(app="shop", act="a", kind=ActKind.DEPLOY, release="r2", outcome=Outcome.LIVE, live="r2")
    plan = plan_watch(state, "")
    assert plan is not None
    assert [step.id for step in plan.stages[0].back] == ["switch", "free_slot"]
    assert plan.stages[0].rollout.policy.steps == ()
    assert read_plan(plan.text()) == plan
    state.releases["r2"].is_watched = True
    assert plan_watch(state, "") is None
    state.releases["r2"].is_watched, state.releases["r2"].strategy = False, "instant"
    assert plan_watch(state, "") is None
