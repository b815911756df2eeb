"""Tables: bytes, then text, records, columns, and the table."""
