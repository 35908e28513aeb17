"""A vendor of our own: a real HTTP server on loopback that follows a script and knows the truth.

It speaks the OpenAI-compatible chat dialect. What it does is data (`Script`), every draw comes from a hash of the seed
and the request, and its time and its waiting are passed in, so a month runs in seconds and twice the same.

    async with SimulatedVendor(script, 7, questions, now_ns=clock.now_ns, delay=clock.delay) as vendor:
        ...  # speak to vendor.base_url, then read vendor.truth
"""

from slaguard.providers.simulated.questions import Question, Questions, read_questions
from slaguard.providers.simulated.script import Fault, Latency, Script, Segment, Window, read_script, script_as_dict
from slaguard.providers.simulated.story import published_story
from slaguard.providers.simulated.truth import Truth, truth_as_jsonl
from slaguard.providers.simulated.vendor import SimulatedVendor, current_request

__all__ = [
    "Fault",
    "Latency",
    "Question",
    "Questions",
    "Script",
    "Segment",
    "SimulatedVendor",
    "Truth",
    "Window",
    "current_request",
    "published_story",
    "read_questions",
    "read_script",
    "script_as_dict",
    "truth_as_jsonl",
]
