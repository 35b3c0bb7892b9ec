"""How to ask one question of one address, one file per protocol."""
