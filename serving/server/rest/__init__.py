"""TF Serving's REST interface, on Python's own `asyncio` and no web framework.

One loop reads the requests of all connections and a pool of threads answers them, as in TF
Serving, where libevent reads: a client that is slow to send or to read costs a connection and never
a thread. `http.server` gives every connection a thread.

From the outside in: `door` owns the port and its limits, `connection` is one client, `http` one
request on the wire; `api` finds what a path asks for and turns failures into HTTP; `json_request`,
`json_examples` and `json_response` are TF Serving's JSON mapping, `json_values` its types, and
`json_text` is what it takes for JSON.
"""
