"""Hugging Face Daily Papers as feeds you can filter."""

__version__ = "0.1.0"
HOME = "https://github.com/feedproxy/feedproxy"
HUB = "https://huggingface.co/papers"
