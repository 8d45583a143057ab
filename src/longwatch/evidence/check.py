#!/usr/bin/env python3
"""Checks an evidence package of Longwatch with nothing but Python (3.8 or later) and openssl (3 or later).

    python3 -I check.py [PACKAGE [FINGERPRINT [CHECKPOINT]]]

PACKAGE: the zip, or the folder it was unpacked to; the one that this page stands in unless said. FINGERPRINT: of the post's key, from a
source you trust ("SHA256:..."). CHECKPOINT: a file with a head of the same ledger, signed earlier. Says what is wrong, in which second.
"""
import base64, datetime, hashlib, json, shutil, subprocess, sys, tempfile, zipfile
from pathlib import Path

LAST = ("manifest.json", "ledger/checkpoint", "ledger/export_made.json", "ledger/export_made.tlog-proof", "ledger/leaves")
faults, files, current = [], {}, ["", None]  # files: by name, what opens each, and its length

def sha(data):
    return hashlib.sha256(data).digest()

def fault(text):
    faults.append(text)
    print("FAIL ", text)

def seconds(camera, from_us, to_us):
    times = (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us) for us in (from_us, to_us))
    return f"{camera} " + " to ".join(f"{time.isoformat(timespec='milliseconds')}Z" for time in times)

def unbase64(text):
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""

def list_files(path):
    """Nothing is unpacked, nothing is written."""
    for each in path.rglob("*") if path.is_dir() else ():
        if each.is_symlink() or not each.is_dir():
            files[each.relative_to(path).as_posix()] = (lambda each=each: each.open("rb"), 0 if each.is_symlink() else each.stat().st_size)
    zipped = None if path.is_dir() else zipfile.ZipFile(path)
    for info in zipped.infolist() if zipped else ():
        if info.orig_filename in files or info.file_size > 50 * info.compress_size + (1 << 20):
            fault(f"inserted: {info.orig_filename!r} stands twice, or claims to be far more than it is")
        elif not info.is_dir():
            files[info.orig_filename] = (lambda info=info: zipped.open(info), info.file_size)

def read(name, offset=0, size=1 << 26):
    if current[0] != name:
        current[:] = [name, files[name][0]()]
        current[1]._expected_crc = None  # the zip's own checksum tells less than ours, and hides which second was hit
    current[1].seek(offset)
    return current[1].read(max(0, min(size, files[name][1] - offset)))

def sha256(name):
    digest = hashlib.sha256()
    for at in range(0, files[name][1], 1 << 20):
        digest.update(read(name, at, 1 << 20))
    return digest.hexdigest()

def tree_root(hashes, begin=0, stack=()):
    """RFC 6962, 2.1, from leaf hashes. stack: the roots of the largest whole subtrees of the `begin` leaves before them."""
    stack = list(stack)
    for number, digest in enumerate(hashes, begin + 1):
        while not number & 1:
            number, digest = number >> 1, sha(b"\1" + stack.pop() + digest)
        stack.append(digest)
    digest = stack.pop()
    while stack:
        digest = sha(b"\1" + stack.pop() + digest)
    return digest

def path_root(index, size, digest, path):
    """RFC 9162, 2.1.3.2: where the path of a leaf hash leads; nowhere if it is too long or too short."""
    last = size - 1
    for sibling in path:
        if index & 1 or index == last:
            digest = sha(b"\1" + sibling + digest)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            digest = sha(b"\1" + digest + sibling)
        index, last = index >> 1, last >> 1
    return digest if last == 0 else b""

def head_of(text, key, pem):
    """Size and root of a signed checkpoint (c2sp.org/tlog-checkpoint), once openssl has verified its signature; else why not."""
    try:
        origin, size, root, _, line = text.decode().split("\n")[:5]
        body, raw = f"{origin}\n{int(size)}\n{root}\n", base64.b64decode(line.rsplit(" ", 1)[-1])
        if text.decode() != body + f"\n\u2014 {origin} {base64.b64encode(raw).decode()}\n":
            return "it is not in its one form"
        if raw[:4] != sha(origin.encode() + b"\n\1" + key)[:4]:
            return "another key signed it"
        with tempfile.TemporaryDirectory() as folder:
            for name, data in (("key", pem), ("body", body.encode()), ("signature", raw[4:])):
                (Path(folder) / name).write_bytes(data)
            command = "openssl pkeyutl -verify -rawin -pubin -inkey key -in body -sigfile signature"
            done = subprocess.run(command.split(), cwd=folder, capture_output=True)
        return "its signature is wrong" if done.returncode else (int(size), base64.b64decode(root, validate=True))
    except ValueError as error:
        return str(error)

def check_segment(camera, said):
    """Each fragment held against the hash that was sealed with it; where one is wrong, whether it stands elsewhere in the file."""
    name, parts = said["file"], [[said["header_bytes"], said["from_us"], said["to_us"]], *said["fragments"]]
    wanted = [bytes.fromhex(each) for each in (said["leaves"][:1] + said["leaves"][said["first"] :])[: len(parts)]]
    end, bad, there, at, begin = 0, [], set(), 0, 0
    for number, (size, *_) in enumerate(parts):
        bad += [] if sha(read(name, end, size)) == wanted[number] else [number]
        end += size
    more = files[name][1] - end
    while bad and at + 8 <= files[name][1]:
        head = read(name, at, 8)
        if head[4:] == b"moof" and at:
            there.add(sha(read(name, begin, at - begin)))
            begin = at
        at += max(8, int.from_bytes(head[:4], "big"))
    there.add(sha(read(name, begin)))
    lost = [number for number in bad if wanted[number] not in there]
    for number in bad if not more else lost:
        what = "reordered" if number not in lost else "removed" if more < 0 else "changed"
        fault(f"{seconds(camera, *parts[number][1:])}: {what}: {f'fragment {number}' if number else 'the header'} of {name}")
    if more > 0 and not lost:
        fault(f"{seconds(camera, said['from_us'], said['to_us'])}: inserted: {more} bytes in {name}")

def check(fingerprint, earlier):
    for name in {*LAST, "ledger/key.pem"} - set(files):
        return fault(f"removed: {name}; the rest cannot be checked without it")
    pem, text, made_text, proof = (read(name) for name in ("ledger/key.pem", *LAST[1:4]))
    # 1. who signed a head of the ledger; it stands twice, so that it can be told which one, or the key, was changed
    key = unbase64("".join(pem.decode("ascii", "ignore").split("\n")[1:-2]))[-32:]
    shown = "SHA256:" + base64.b64encode(sha(key)).decode().rstrip("=")
    heads = [(head_of(each, key, pem), each) for each in (text, proof.partition(b"\n\n")[2])]
    signed = [each for each in heads if not isinstance(each[0], str)]
    if not signed:
        return fault(f"changed: ledger/key.pem is not the key that signed the checkpoint: {heads[0][0]}")
    if fingerprint and fingerprint != shown:
        fault(f"wrong key: the package is signed by {shown}, not by {fingerprint}")
    # 2. the leaf hashes of the ledger lead to that head
    data = read("ledger/leaves")
    begin, hashes = int.from_bytes(data[:8], "big"), [data[at : at + 32] for at in range(8, len(data), 32)]
    older, leaves = hashes[: bin(begin).count("1")], hashes[bin(begin).count("1") :]
    found = (begin + len(leaves), tree_root(leaves, begin, older) if leaves else b"")
    (size, root), given = next((each for each in signed if each[0] == found), signed[0])
    if (size, root) != found:
        leaves = fault("changed: ledger/leaves do not lead to the checkpoint")
    if given != text:
        fault("changed: ledger/checkpoint is not the head that this package leads to, or its signature is wrong")
    if earlier:
        old = head_of(Path(earlier).read_bytes(), key, pem)
        if isinstance(old, str) or not leaves or not begin < old[0] <= size:
            fault(f"the earlier checkpoint cannot be held against this package (entries {begin} to {size}): {old}")
        elif tree_root(leaves[: old[0] - begin], begin, older) != old[1]:
            fault(f"forked: the ledger had other entries when the earlier checkpoint, of {old[0]}, was signed")
    # 3. the entry of this export is in the ledger, and names the manifest
    def in_ledger(seq, leaf, name, proof_name):
        if leaves and begin <= seq and leaves[seq - begin : seq - begin + 1] != [leaf]:
            return fault(f"changed: {name} is not entry {seq} of the ledger")
        lines = read(proof_name).decode("utf-8", "replace").partition("\n\n")[0].split("\n")
        path = [unbase64(line) for line in lines[2:]]
        exact = "\n".join(["c2sp.org/tlog-proof@v1", f"index {seq}", *(base64.b64encode(each).decode() for each in path)])
        if read(proof_name) != exact.encode() + b"\n\n" + given or path_root(seq, size, leaf, path) != root:
            fault(f"changed: {proof_name} does not lead from entry {seq} to the checkpoint")
    try:
        made = json.loads(made_text)
    except ValueError:
        return fault("changed: ledger/export_made.json is no entry")
    in_ledger(made["seq"], sha(b"\0" + made_text), *LAST[2:4])
    if made["body"]["manifest_sha256"] != sha256("manifest.json"):
        return faults or fault("changed: manifest.json is not the one that the ledger names: nothing it says can be relied on")
    # 4. every file that the manifest names, and no other
    said = json.loads(read("manifest.json"))
    camera, segments = said["camera"]["id"], {each["file"]: each for each in said["segments"]}
    named = {*LAST, *said["files"], *(f"ledger/proofs/{each['seq']}.tlog-proof" for each in said["entries"])}
    for name in sorted(named ^ set(files)):
        fault(f"{'removed' if name in named else 'inserted'}: {name!r}")
    for name in sorted(set(said["files"]) & set(files)):
        if name in segments:
            check_segment(camera, segments[name])
        elif sha256(name) != said["files"][name]["sha256"]:
            fault(f"changed: {name}")
    # 5. every entry that speaks of this time, and each segment as an entry sealed it
    bodies = {}
    for each in said["entries"]:
        name, proof_name = f"ledger/entries/{each['seq']}.json", f"ledger/proofs/{each['seq']}.tlog-proof"
        entry = b"" if "leaf" in each or name not in files else read(name)
        if ("leaf" in each or sha(entry).hex() == said["files"][name]["sha256"]) and proof_name in files:
            in_ledger(each["seq"], bytes.fromhex(each["leaf"]) if "leaf" in each else sha(b"\0" + entry), name, proof_name)
            bodies[each["seq"]] = json.loads(entry or b'{"body": null}')["body"]
    for each in said["segments"]:
        sealed, found = bodies.get(each["entry"]), tree_root([sha(b"\0" + bytes.fromhex(leaf)) for leaf in each["leaves"]])
        if sealed and (sealed["root"], sealed["boot"], sealed["run"]) != (found.hex(), each["boot"], each["run"]):
            fault(f"{seconds(camera, each['from_us'], each['to_us'])}: changed at the post, before the export: {each['file']}")
    who, begun = said["operator"], bodies.get(said["log"]["begun"])
    committed = sha(b"longwatch personal 1\n" + bytes.fromhex(who["salt"]) + who["text"].encode()).hex()
    if begun and begun["person"]["commitment"] != committed:
        fault("changed: the operator is not the one that the entry export_begun commits to")
    if not faults:
        total, span = said["totals"], said["span"]
        print(f"{camera}/{said['stream']} of {said['post']['id']}, {span['from']} to {span['to']}, by {who['user']}: {who['reason']}")
        print("; ".join(f"{name} {total[name + '_us'] / 1e6:.3f} s" for name in ("recorded", "gap", "gone", "unsealed")))
        print(f"signed by {shown}" + ("" if fingerprint else ": found inside; that it is the post's key is not shown"))

if __name__ == "__main__":
    if not shutil.which("openssl"):
        sys.exit("openssl is needed: without it no signature can be checked")
    try:
        list_files(Path([*sys.argv, Path(__file__).parent][1]))
        check(*[*sys.argv[2:], "", ""][:2])
    except Exception as error:  # whatever a broken package makes Python stumble over is a package that fails
        fault(f"removed or changed: {error!r}")
    print("FAILED" if faults else "OK")
    sys.exit(bool(faults))
