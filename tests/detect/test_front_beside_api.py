"""A front end beside its API: by which address its pages call it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.detect.conftest import Look

from underway.detect import Detection
from underway.manifest.build import NodeBuild
from underway.manifest.model import Manifest

API = {
    "backend/main.py": "from fastapi import FastAPI\napp = FastAPI()\n",
    "backend/requirements.txt": "fastapi\nuvicorn\n",
    "frontend/package.json": '{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "5"}}',
    "frontend/package-lock.json": "{}",
    "frontend/index.html": "",
}
PUT_IN = "node frontend/.underway/origin.cjs frontend/dist"
READS = "const base = import.meta.env.VITE_API_URL\n"


def drafted(detection: Detection) -> Manifest:
    assert detection.manifest is not None, detection.problems
    return detection.manifest


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({"src/api.ts": READS, ".env": "VITE_API_URL=http://localhost:8000/api\n"},
         ('cd frontend && VITE_API_URL=http://same-origin.invalid/api npm run build', PUT_IN)),
        ({"src/api.ts": "const a = import.meta.env.VITE_BACKEND || 'http://localhost:8000/';"},
         ('cd frontend && VITE_BACKEND=http://same-origin.invalid/ npm run build', f"{PUT_IN} localhost:8000")),
        ({"src/api.ts": "connect(process.env.REACT_APP_LIVE)", ".env.example": "REACT_APP_LIVE=ws://127.0.0.1:9000/ws\n"},
         ('cd frontend && REACT_APP_LIVE=ws://same-origin.invalid/ws npm run build', PUT_IN)),
        ({"src/api.ts": READS, ".env.production": "VITE_API_URL=/api\n", ".env": "VITE_API_URL=http://localhost:1/x\n"},
         ()),
        ({"src/api.ts": "const base = import.meta.env.PROD ? import.meta.env.VITE_API_URL : 'http://localhost:9000/api';",
          ".env.example": "VITE_API_URL=shop-server:9000\n"},
         ('cd frontend && VITE_API_URL=http://same-origin.invalid/api npm run build',
          f"{PUT_IN} localhost:9000")),
        ({"src/api.ts": READS, ".env.example": "VITE_API_URL=/api/v1\n"},
         ('cd frontend && VITE_API_URL=/api/v1 npm run build',)),
        ({"src/api.ts": READS, ".env.production": "VITE_API_URL=https://shop.onrender.com/v2\n"},
         ('cd frontend && VITE_API_URL=http://same-origin.invalid/v2 npm run build', PUT_IN)),
        ({"src/api.ts": READS},
         ('cd frontend && VITE_API_URL=http://same-origin.invalid npm run build', PUT_IN)),
        ({"src/api.ts": READS + "get(`${base}/posts`)", "../backend/urls.py": "path('api/', include('a'))\n"},
         ('cd frontend && VITE_API_URL=http://same-origin.invalid/api npm run build', PUT_IN)),
        ({"src/api.ts": READS + "get(`${base}/api/posts`)", "../backend/urls.py": "path('api/', include('a'))\n"},
         ('cd frontend && VITE_API_URL=http://same-origin.invalid npm run build', PUT_IN)),
        ({"src/map.ts": "import.meta.env.VITE_MAPBOX_API; import.meta.env.VITE_STORE_API_URL"}, ()),
        ({"src/a.vue": "axios.get('http://localhost:5001/books')"}, (f"{PUT_IN} localhost:5001",)),
        ({"src/a.ts": "// fetch('http://localhost:5001')", "vite.config.ts": "target: 'http://localhost:8000'",
          "src/a.test.ts": "'http://localhost:7777'"}, ()),
        ({"src/a.ts": "import.meta.env.VITE_WEATHER_API_URL; import.meta.env.VITE_API_KEY",
          ".env": "VITE_WEATHER_API_URL=https://api.weather.gov/v1\nVITE_API_KEY=1\n"}, ()),
    ],
)  # fmt: skip
def test_pages_call_their_api_where_they_came_from(
    look: Look, files: Mapping[str, str], commands: tuple[str, ...]
) -> None:
    manifest = drafted(
        look({**API, **{f"frontend/{path}".replace("frontend/../", ""): text for path, text in files.items()}})
    )
    assert manifest.build.commands == commands
    is_built_before = not any("npm run build" in line for line in commands)
    assert manifest.build.node == NodeBuild("npm", dir="frontend", script="build" if is_built_before else "")


def test_a_front_end_of_nextjs_is_served_where_it_becomes_files_and_told_where_it_is_a_server(look: Look) -> None:
    web = '{"scripts": {"build": "next build"}, "dependencies": {"next": "15", "react": "19"}}'
    api = {path: text for path, text in API.items() if path.startswith("backend/")}
    export = drafted(look({**api, "web/package.json": web, "web/next.config.js": "output: 'export'"}))
    assert export.static is not None
    assert export.static.dir == "web/out"
    server = look({**api, "web/package.json": web})
    assert drafted(server).static is None
    assert any("web is a Next.js server of its own" in claim.says for claim in server.claims)
    nest = '{"scripts": {"start": "node dist/main"}, "dependencies": {"@nestjs/core": "10"}}'
    beside = look({"apps/api/package.json": nest, "Procfile": "web: node dist/main", "apps/web/package.json": web})
    assert any("apps/web is a Next.js server of its own" in claim.says for claim in beside.claims)
    kit = '{"scripts": {"build": "vite build"}, "devDependencies": {"@sveltejs/kit": "2", "vite": "6"}}'
    adapter = "import adapter from '@sveltejs/adapter-vercel'"
    other = look({**api, "web/package.json": kit, "web/svelte.config.js": adapter})
    assert any("web is a SvelteKit server of its own" in claim.says for claim in other.claims)
