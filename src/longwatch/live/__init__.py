"""Live fan-out: samples from the recorder to viewers, one bounded queue each."""
