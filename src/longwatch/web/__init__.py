"""API and pages: FastAPI, every route with a policy or it does not start."""
