"""What a repository is, by reading it: claims with evidence, and a draft of its manifest. Nothing is run."""

from underway.detect.complete import complete
from underway.detect.detect import detect
from underway.detect.init import init_text
from underway.detect.model import Claim, Detection, Evidence, Machine

__all__ = ["Claim", "Detection", "Evidence", "Machine", "complete", "detect", "init_text"]
