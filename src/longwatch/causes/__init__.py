"""Evidence to cause, as the decision table of docs/design/causes.md. Pure."""
