"""Parents and their sessions."""

import httpx
from conftest import Family, Server, sql


def test_a_parent_registers_logs_out_and_logs_in_again(family: Family) -> None:
    assert family.http.get("/api/me").json()["email"] == family.email
    assert family.write("POST", "/api/logout").status_code == 204
    assert family.http.get("/api/me").json()["email"] is None
    assert family.http.get("/api/children").status_code == 401
    wrong = family.http.post("/api/login", json={"email": family.email, "password": "not-that-one"})
    assert wrong.status_code == 401
    assert wrong.json()["error"]["code"] == "wrong-password"
    right = family.http.post("/api/login", json={"email": family.email.upper(), "password": family.password})
    assert right.status_code == 200
    assert family.http.get("/api/children").json() == []


def test_an_address_has_one_account(family: Family) -> None:
    again = family.http.post("/api/register", json={"email": family.email.upper(), "password": "another-one"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "email-taken")


def test_logging_out_ends_the_session_on_the_server(family: Family, http: httpx.Client) -> None:
    cookies = dict(family.http.cookies)
    family.write("POST", "/api/logout")
    stolen = httpx.get(f"{http.base_url}/api/children", cookies=cookies, trust_env=False)
    assert stolen.status_code == 401


def test_neither_password_nor_token_is_stored(family: Family, database_url: str) -> None:
    token = family.http.cookies["meadow_session"]
    rows = str(sql(database_url, "select * from sessions")) + str(sql(database_url, "select * from parents"))
    assert token not in rows
    assert family.password not in rows
    assert "$argon2id$" in rows


def test_the_cookie_is_secure_exactly_behind_https(http: httpx.Client) -> None:
    def cookie(**headers: str) -> str:
        account = {"email": Family(http).email, "password": "sunflower-9"}
        return http.post("/api/register", json=account, headers=headers).headers["set-cookie"].lower()

    plain, secure = cookie(), cookie(**{"x-forwarded-proto": "https"})
    assert "secure" not in plain
    assert "secure" in secure
    assert "httponly" in plain
    assert "samesite=lax" in plain


def test_a_write_needs_the_sessions_own_token(family: Family, server: Server) -> None:
    portrait = {"name": "Mia", "avatar": "fox"}
    without = family.http.post("/api/children", json=portrait)
    assert (without.status_code, without.json()["error"]["code"]) == (403, "csrf")
    with httpx.Client(base_url=server.url, trust_env=False) as other_browser:
        other = Family(other_browser).register()
        assert other.csrf != family.csrf
        family.csrf = other.csrf
        assert family.write("POST", "/api/children", portrait).status_code == 403
    assert family.http.get("/api/children").json() == []


def test_another_site_cannot_write(http: httpx.Client) -> None:
    account = {"email": Family(http).email, "password": "sunflower-9"}
    own = f"http://{http.base_url.host}:{http.base_url.port}"
    foreign = http.post("/api/register", json=account, headers={"origin": "http://evil.example"})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign-origin")
    assert http.post("/api/register", json=account, headers={"origin": "null"}).status_code == 403
    assert http.post("/api/register", json=account, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert http.post("/api/register", json=account, headers={"origin": own}).status_code == 201


def test_the_own_origin_is_the_host_the_proxy_passes_on(http: httpx.Client) -> None:
    account = {"email": Family(http).email, "password": "sunflower-9"}
    headers = {"host": "learning.localhost:8080", "origin": "http://learning.localhost:8080"}
    assert http.post("/api/register", json=account, headers=headers).status_code == 201


def test_guessing_is_stopped_for_a_while(family: Family) -> None:
    tries = [
        family.http.post("/api/login", json={"email": family.email, "password": f"guess-number-{number}"}).status_code
        for number in range(11)
    ]
    assert tries == [401] * 10 + [429]
    right = family.http.post("/api/login", json={"email": family.email, "password": family.password})
    assert right.status_code == 429


def test_what_is_not_an_account_is_refused_with_the_field_named(http: httpx.Client) -> None:
    short = http.post("/api/register", json={"email": "a@example.org", "password": "short"})
    assert (short.status_code, short.json()["error"]["message"]) == (422, "Please check: password.")
    both = http.post("/api/register", json={"email": "nobody", "password": "short"})
    assert both.json()["error"]["message"] == "Please check: email, password."


def test_a_large_body_is_refused_announced_or_not(http: httpx.Client) -> None:
    assert http.post("/api/login", content=b"x" * 20_000).status_code == 413
    chunks = (b"x" * 1000 for _ in range(20))
    assert http.post("/api/login", content=chunks, headers={"content-type": "application/json"}).status_code == 413
