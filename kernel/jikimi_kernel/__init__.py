"""The inner loops of jikimi in C++: exact search of perceptual hashes, and PDQ.

Nothing is decided here: `jikimi.engine` uses this module when it is installed, and NumPy when it is not.
"""
