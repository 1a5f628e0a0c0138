"""Evidence scores what strategies said in the past, net of cost, and calibrates what they say now."""
