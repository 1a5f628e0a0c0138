"""HTTP and SSE: checks who asks, validates, calls one room, maps the error."""
