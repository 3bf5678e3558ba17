"""The only definition of every feature that training and serving share; see README.md."""
