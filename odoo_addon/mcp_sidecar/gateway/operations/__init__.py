"""The other operations of a call, one file each, and the executor that runs the steps of a request."""
