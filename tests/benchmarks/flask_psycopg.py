"""The intake implemented with Flask and psycopg: a prepared statement per request on a connection pool."""

from flask import Flask, Response, jsonify, request
from psycopg_pool import ConnectionPool

from tests.benchmarks import one_post
from tests.benchmarks.one_post import SETUP

pool = ConnectionPool(
    SETUP["database_url"],
    min_size=SETUP["connections"],
    max_size=SETUP["connections"],
    kwargs={"autocommit": True, "prepare_threshold": 0},
)
app = Flask(__name__)


@app.post("/tenios/posts")
def receive() -> Response | tuple[Response, int]:
    posts = one_post.posts(request.get_data())
    with pool.connection() as connection:
        taken = connection.execute(SETUP["statement"], {"posts": posts}).fetchone()
    return jsonify({}) if taken else (jsonify(error="forbidden"), 403)
