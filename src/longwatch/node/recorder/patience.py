"""How long what others ask of a recorder may take, for both ends of its socket."""

SEAL_PATIENCE_S = 15.0  # groups of pictures of ten seconds and more are met
