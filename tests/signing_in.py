"""Attempts to sign in with a name and a password."""

SIGN_IN = "/accounts/login/"
TOO_MANY = "Too many attempts."
OFFICE, HOME, CAFE = "198.51.100.7", "203.0.113.8", "192.0.2.9"


def attempt(client, username="mona", password="wrong", address=OFFICE, **how):
    return client.post(SIGN_IN, {"username": username, "password": password}, **{"REMOTE_ADDR": address, **how})


def fail(client, times, **how):
    """Fail so often; return the last answer."""
    for _ in range(times):
        answer = attempt(client, **how)
    return answer
