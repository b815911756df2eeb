"""The parts of the page of a search: charts of its trials and of its settings."""
