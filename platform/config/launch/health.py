"""What the web process answers about its health."""

import http.client


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and the beginning of the body on one line; status 0 when nobody answers."""
    # Directly, not through urllib: a proxy in the environment is not for our own machine.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status, " ".join(response.read(2000).decode(errors="replace").split())
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
