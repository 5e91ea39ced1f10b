"""Black-box cases that every server of TF Serving's protocol should pass.

A case is a request, the status it should end with and where TF Serving's sources say so. The cases
can be pointed at any address: the embedded server, a `tensorflow_model_server` of one's own.
"""
