"""RTP and RTCP (RFC 3550) and one depacketizer per codec."""
