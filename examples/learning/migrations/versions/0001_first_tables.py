"""First tables: parents, sessions, children, what each child knows, and every answer."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
    create table parents (
        id bigint generated always as identity primary key,
        email text not null,
        password_hash text not null,
        failed_logins integer not null default 0,
        locked_until timestamptz,
        created_at timestamptz not null default now()
    )
    """,
    "create unique index parents_email on parents (lower(email))",
    """
    create table sessions (
        token_hash bytea primary key,
        parent_id bigint not null references parents on delete cascade,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null
    )
    """,
    "create index sessions_expires_at on sessions (expires_at)",
    "create index sessions_parent_id on sessions (parent_id)",
    """
    create table children (
        id uuid primary key default gen_random_uuid(),
        parent_id bigint not null references parents on delete cascade,
        name text not null check (char_length(name) between 1 and 20),
        avatar text not null,
        turns integer not null default 0,
        stars integer not null default 0,
        created_at timestamptz not null default now()
    )
    """,
    "create index children_parent_id on children (parent_id)",
    """
    create table letters (
        child_id uuid not null references children on delete cascade,
        letter text not null check (letter ~ '^[A-Z]$'),
        box integer not null default 0,
        last_turn integer not null,
        right_answers integer not null default 0,
        wrong_answers integer not null default 0,
        primary key (child_id, letter)
    )
    """,
    """
    create table answers (
        question uuid primary key,
        child_id uuid not null references children on delete cascade,
        letter text not null,
        choice text not null,
        is_right boolean not null,
        answered_at timestamptz not null default now()
    )
    """,
    "create index answers_child_id on answers (child_id, answered_at)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    for table in ("answers", "letters", "children", "sessions", "parents"):
        op.execute(f"drop table {table}")
