"""The canonical form of entries, their leaf hashes and numbering; RFC 6962 trees. Pure. Signing comes with Account."""
