"""What the contract's example needs of requests, made of urllib, for machines that do not have it."""
import json as _json
import types
import urllib.error
import urllib.request


class RequestException(IOError):
    pass


exceptions = types.SimpleNamespace(RequestException=RequestException)


class Response:
    def __init__(self, status, body):
        self.status_code, self.body = status, body

    def raise_for_status(self):
        if self.status_code >= 400:
            raise RequestException(f"{self.status_code} Client Error")

    def json(self):
        return _json.loads(self.body)


def post(url, headers, json):
    request = urllib.request.Request(url, _json.dumps(json).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return Response(answer.status, answer.read())
    except urllib.error.HTTPError as answer:
        return Response(answer.code, answer.read())
    except urllib.error.URLError as error:
        raise RequestException(error)
