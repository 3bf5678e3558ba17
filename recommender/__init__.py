"""Windowshop, the online side: personal feeds from models, catalogue and live events."""
