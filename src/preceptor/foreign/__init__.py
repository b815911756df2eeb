"""What others have learned: files of weights and networks of other libraries, read without running anything in them."""
