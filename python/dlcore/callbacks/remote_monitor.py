import json
import urllib.error
import urllib.parse
import urllib.request
import warnings

import numpy as np

from dlcore.callbacks.callback import Callback

_TIMEOUT_SECONDS = 10


class RemoteMonitor(Callback):
    """Sends the results of each epoch to a server, as an HTTP POST.

    Args:
        root: address of the server, default `"http://localhost:9000"`.
        path: of the request, default `"/publish/epoch/end/"`.
        field: name of the form's field that holds the JSON text, default `"data"`.
        headers: dict of further HTTP headers.
        send_as_json: bool, default False: the request's body is the JSON text itself.

    A server that does not answer is a warning.
    """

    def __init__(
        self, root="http://localhost:9000", path="/publish/epoch/end/", field="data", headers=None, send_as_json=False
    ):
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch, logs=None):
        values = {name: v.item() if isinstance(v, (np.ndarray, np.generic)) else v for name, v in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **values})
        if self.send_as_json:
            body, kind = text.encode(), "application/json"
        else:
            body, kind = urllib.parse.urlencode({self.field: text}).encode(), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **(self.headers or {})}
        try:
            request = urllib.request.Request(self.root + self.path, data=body, headers=headers)
            urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS).close()
        except (urllib.error.URLError, OSError) as error:
            warnings.warn(f"RemoteMonitor could not reach {self.root}: {error}", stacklevel=2)
