"""Graphs as C: text, views of memory, what each primitive becomes, a function made of them."""
