"""The demo: all of Windowshop on sample data, in one folder; see README.md beside this file."""
