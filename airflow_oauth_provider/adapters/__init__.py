"""One foreign library a module, named like it, which is imported only when it is used."""
