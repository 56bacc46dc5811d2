"""How the models that ship with Wayfinder are trained, from the corpus and the written questions."""
