"""The one factory of outgoing connections; `client` is the door, `addresses` says who may be reached."""
