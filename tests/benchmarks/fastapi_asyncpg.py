"""The intake implemented with FastAPI and asyncpg: a prepared statement per request on a connection pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.benchmarks import one_post
from tests.benchmarks.one_post import SETUP

STATEMENT = SETUP["statement"].replace("%(posts)s", "$1")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    size = SETUP["connections"]
    async with asyncpg.create_pool(SETUP["database_url"], min_size=size, max_size=size) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/tenios/posts")
async def receive(request: Request) -> JSONResponse:
    posts = one_post.posts(await request.body())
    if await app.state.pool.fetchval(STATEMENT, posts):
        return JSONResponse({})
    return JSONResponse({"error": "forbidden"}, status_code=403)
