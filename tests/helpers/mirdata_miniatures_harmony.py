"""Miniatures of data sets of keys, chords, sections and tags; see mirdata_miniatures.py."""

from __future__ import annotations

import json
from typing import Any

from helpers.mirdata_miniatures import NONE, SECONDS, Folder, Tracks, lines, makes

PLAYERS = ("00", "03", "04", "05")


def _excerpts(folder: Folder, keys: list[tuple[str, str, list[str]]], place: str) -> Tracks:
    """Excerpts of Beatport: title, key file, artists."""
    tracks: Tracks = {}
    for number, (title, key, artists) in enumerate(keys):
        meta = {"artists": [{"name": name} for name in artists], "bpm": None, "genres": []}
        tracks[str(number)] = {
            "audio": folder.tone(f"audio/{title}.mp3"),
            "meta": folder.text(f"meta/{title}.json", json.dumps(meta)),
            "key": folder.text(f"{place}/{title}.txt", key),
        }
    return tracks


@makes("giantsteps_key")
def giantsteps_key(folder: Folder, more: int = 0) -> None:
    keys = [
        ("10089 Ada - Close (Original Mix)", "D major", ["Ada"]),
        ("10090 Ada, Bo - Far (Original Mix)", "g# minor\n", ["Bo", "Ada"]),
        ("10091 Bo - Up (Dub Mix)", "Cb Major", ["Bo"]),
        ("10092 Cy - Down (Cy feat. J. Little Remix)", "-", ["Cy"]),
        ("10093 - Untitled", "A mixolydian", []),
    ]
    keys += [
        (f"{2 * n} Em {n} - Song", "CDEFGAB"[n % 7] + " minor", [f"Em {n}"]) for n in range(more)
    ]
    folder.index("giantsteps_key_index_+.json", _excerpts(folder, keys, "keys_gs+"))


@makes("beatport_key")
def beatport_key(folder: Folder) -> None:
    keys = [
        ("1 Ada - One", "D minor", ["Ada"]),
        ("2 Bo - Two", "F minor | G minor", ["Bo"]),
        ("3 Cy - Three", "Unknown", ["Cy"]),
        ("4 Di - Four", "Eb other", ["Di"]),
        ("5 Em - Five", "E minor | e minor ", ["Em"]),
    ]
    folder.index("beatport_key_index_1.0.0.json", _excerpts(folder, keys, "keys"))


@makes("fma_keys")
def fma_keys(folder: Folder, more: int = 0) -> None:
    songs = {10: "C Major", 141: "Bb minor", 20483: "F# minor"}
    songs |= {1000 + number: "CDEFGAB"[number % 7] + " minor" for number in range(more)}
    table = "track_id,spotify_uri,key_and_mode\n"
    tracks: Tracks = {}
    for number, key in songs.items():
        name = f"{number:06d}"
        tracks[str(number)] = {"audio": folder.tone(f"{name[:3]}/{name}.mp3")}
        table += f"{number},,{key}\n"
    folder.text("fma_keys_metadata.csv", table)
    folder.index("fma_keys_index_1.0.json", tracks)


@makes("beatles")
def beatles(folder: Folder) -> None:
    chords = lines(
        "0.000000 0.497838 N",  # blanks, as in most of the files
        "0.497838 0.900000 E:min/b3",
        "0.900000 0.900000 G",  # no duration
        "0.900000 1.400000 G:maj/3",
        "1.400000 1.900000 A:7(#9)",
        "1.900000 2.400000 D:(1,4,b7)/5",
        "2.400000 3.000000 X",
    )
    beats = lines(*("0.249\t2", "0.749\t3", "1.249\t4", "1.749\t1", "2.249\tNew Point", "2.749\t3"))
    keys = lines("0.000\t0.400\tSilence", "0.400\t1.000\tKey\tE", "1.000\t2.900\tKey\tC#:minor")
    parts = lines("0.000\t0.500\t0.0\tsilence", "0.500\t3.000\t1.0\tverse")
    tracks: Tracks = {}
    for key, name in {
        "0111": "01_-_Please_Please_Me/11_-_Do_You_Want_To_Know_A_Secret",
        "0112": "01_-_Please_Please_Me/12_-_A_Taste_Of_Honey",
        "0701": "07_-_Revolver/01_-_Taxman",
    }.items():
        tracks[key] = {
            "audio": folder.tone(f"audio/{name}.wav"),
            "beat": folder.text(f"annotations/beat/The Beatles/{name}.txt", beats),
            "chords": folder.text(f"annotations/chordlab/The Beatles/{name}.lab", chords),
            "keys": folder.text(f"annotations/keylab/The Beatles/{name}.lab", keys),
            "sections": folder.text(f"annotations/seglab/The Beatles/{name}.lab", parts),
        }
    name = "10CD2_-_The_Beatles/CD2_-_12_-_Revolution_9"
    tracks["10212"] = {
        "audio": folder.tone(f"audio/{name}.wav"),
        "beat": NONE,
        "chords": folder.text(
            f"annotations/chordlab/The Beatles/{name}.lab",
            "0.000000 2.000000 N\n2.000000 3.000000 X\n",
        ),
        "keys": NONE,
        "sections": folder.text(f"annotations/seglab/The Beatles/{name}.lab", parts),
    }
    folder.index("beatles_index_1.2.json", tracks)


@makes("queen")
def queen(folder: Folder) -> None:
    name = "Greatest Hits I/01 Bohemian Rhapsody"
    chords = lines("0.000\t0.459\tN", "0.459\t1.6\tBb:maj6", "1.6\t3.0\tC:sus2/5")
    keys = lines("0.0\t0.456\tSilence", "0.456\t2.139\tKey\tBb", "2.139\t3.000\tKey\tEb")
    parts = lines("0.000\t0.400\t\tsilence", "0.400\t3.000\t\tintro")
    tracks: Tracks = {
        "0": {
            "audio": folder.tone(f"audio/{name}.flac"),
            "chords": folder.text(f"annotations/chordlab/Queen/{name}.lab", chords),
            "keys": folder.text(f"annotations/keylab/Queen/{name}.lab", keys),
            "sections": folder.text(f"annotations/seglab/Queen/{name}.lab", parts),
        }
    }
    folder.index("queen_index_1.0.json", tracks)


@makes("rwc_popular")
def rwc_popular(folder: Folder, more: int = 0) -> None:
    # hundredths of a second; 384 is a downbeat, 48 the second beat of four, -1 not a beat
    beats = lines(
        *("4\t47\t96", "47\t90\t144", "90\t134\t384", "134\t177\t48"),
        *("177\t220\t96", "220\t263\t144", "263\t290\t384", "290\t300\t-1"),
    )
    chords = lines("0.000\t0.104\tN", "0.104\t1.858\tAb:min", "1.858\t3.0\tBb:maj(*3)")
    parts = lines('4\t126\t"intro"', '126\t300\t"chorus A"')
    table = (
        "Piece No.,Cat. Suffix,Tr. No.,Title,Artist (Vocal),Singer Information,Length,Tempo,"
        "Live Instruments Used,Drum Information\n"
    )
    tracks: Tracks = {}
    songs = [("Aki", "135"), ("Ben", "100"), ("Aki", "61")]
    songs += [(f"Cho {number}", "120") for number in range(more)]
    for number, (artist, tempo) in enumerate(songs, 1):
        table += f"No. {number},M01,Tr. {number:02d},A song,{artist},Male,00:03,{tempo},Gt,Live\n"
        key, stem = f"RM-P{number:03d}", "annotations/AIST.RWC-MDB-P-2001"
        tracks[key] = {
            "audio": folder.tone(f"audio/rwc-p-m01/{number}.wav"),
            "sections": folder.text(f"{stem}.CHORUS/{key}.CHORUS.TXT", parts),
            "beats": folder.text(f"{stem}.BEAT/{key}.BEAT.TXT", beats),
            "chords": folder.text(
                f"{stem}.CHORD/RWC_Pop_Chords/N{number:03d}-M01-T{number:02d}.lab", chords
            ),
            "voca_inst": folder.text(f"{stem}.VOCA_INST/{key}.VOCA_INST.TXT", "0.0\tb\n1.0\te\n"),
        }
    folder.text("metadata-master/rwc-p.csv", table)
    folder.index("rwc_popular_index_1.0.json", tracks)


def _jams(key: str) -> dict[str, Any]:
    def part(namespace: str, rows: Any, source: str = "") -> dict[str, Any]:
        about = {"data_source": source, "annotation_tools": ""}
        return {"namespace": namespace, "annotation_metadata": about, "data": rows}

    def span(time: float, duration: float, value: Any) -> dict[str, Any]:
        return {"time": time, "duration": duration, "value": value, "confidence": None}

    parts = []
    for string in range(6):
        contour = {"time": [0.5], "duration": [0.0], "value": [{"frequency": 98.0}]}
        parts.append(part("pitch_contour", contour, str(string)))
        # one string stays silent; the others are strummed 8 ms apart
        notes = [] if string == 3 else [span(0.5 + 0.008 * string, 0.5, 43.02), span(2, 0.2, 50.0)]
        parts.append(part("note_midi", notes, str(string)))
    beats = [
        span(0.5 * (place + 1), 0.0, {"position": place % 4 + 1, "measure": 1, "num_beats": 4})
        for place in range(5)
    ]
    parts.append(part("beat_position", beats))
    parts.append(part("tempo", [span(0.0, SECONDS, 120)]))
    parts.append(part("chord", [span(0.0, 1.5, "G:maj"), span(1.5, 1.5, "F#:hdim7")]))
    parts.append(part("chord", [span(0.0, 1.5, "G:maj(*5)"), span(1.5, 1.5, "F#:min7(*b7)/1")]))
    parts.append(part("key_mode", [span(0.0, SECONDS, key)]))
    return {"annotations": parts, "file_metadata": {"duration": SECONDS}, "sandbox": {}}


@makes("guitarset")
def guitarset(folder: Folder) -> None:
    tracks: Tracks = {}
    for player, key in zip(PLAYERS, ("G:major", "Eb:major", "G:major", "A:minor"), strict=True):
        for mode in ("comp", "solo"):
            name = f"{player}_BN3-120-{key.partition(':')[0]}_{mode}"
            tracks[name] = {
                "audio_hex_cln": [f"audio_hex-pickup_debleeded/{name}_hex_cln.wav", ""],
                "audio_hex": [f"audio_hex-pickup_original/{name}_hex.wav", ""],
                "audio_mic": [f"audio_mono-mic/{name}_mic.wav", ""],
                "audio_mix": folder.tone(f"audio_mono-pickup_mix/{name}_mix.wav"),
                "jams": folder.text(f"annotation/{name}.jams", json.dumps(_jams(key))),
            }
    folder.index("guitarset_index_1.1.0.json", tracks)


@makes("salami")
def salami(folder: Folder) -> None:
    stem = "salami-data-public-hierarchy-corrections"
    parts = lines("0.0\tSilence", "0.04\tA", "1.0\tA'", "1.0\tB", "2.9\tSilence", "3.0\tEnd")
    small = lines("0.0\tSilence", "0.04\ta", "2.9\tSilence", "3.0\tEnd")
    head = (
        "SONG_ID,SOURCE,ANNOTATOR1,ANNOTATOR2,FILE_LOCATION,SONG_DURATION,EMPTY,SONG_TITLE,ARTIST,"
        "FORMAT,ANNOTATION_TIME1,ANNOTATION_TIME2,TEXTFILE1,TEXTFILE2,CLASS,GENRE"
    )
    table = [head]
    tracks: Tracks = {}
    songs = {"2": ("The_Band", (1, 2)), "192": ("Compilations", (1,)), "1015": ("The_Band", (2,))}
    for key, (artist, annotators) in songs.items():
        table.append(f"{key},Codaich,5,8,,3,,A_Song,{artist},mp3,37,45,,,popular,Pop")
        tracks[key] = {"audio": folder.tone(f"audio/{key}.mp3")}
        for number in (1, 2):
            for level, text in (("uppercase", parts), ("lowercase", small)):
                path = f"{stem}/annotations/{key}/parsed/textfile{number}_{level}.txt"
                given = number in annotators
                entry = folder.text(path, text) if given else NONE
                tracks[key][f"annotator_{number}_{level}"] = entry
    folder.text(f"{stem}/metadata/metadata.csv", lines(*table, ""))
    folder.index("salami_index_2.0-corrected.json", tracks)


@makes("openmic2018")
def openmic2018(folder: Folder) -> None:
    head = "track_id,artist_id,artist_name,track_genres,track_title,sample_key,start_time\n"
    genres = "\"[{'genre_id': '76', 'genre_title': 'Experimental Pop'}]\""
    artists = {
        "000046_3840": "Nicky",
        "000135_483840": "Abominog",
        "000178_3840": "Nicky",
        "000200_10": "",
    }
    table, tracks = head, Tracks()
    for key, artist in artists.items():
        table += f'{int(key[:6])},4,{artist},{genres},"A, title",{key},3.84\n'
        tracks[key] = {
            "audio": folder.tone(f"audio/{key[:3]}/{key}.ogg"),
            "vggish": folder.text(f"vggish/{key[:3]}/{key}.json", "{}"),
        }
    folder.text("openmic-2018-metadata.csv", table)
    folder.text(
        "openmic-2018-aggregated-labels.csv",
        lines(
            "sample_key,instrument,relevance,num_responses",
            *("000046_3840,clarinet,0.17105,3", "000046_3840,flute,0.5,3"),
            *("000135_483840,voice,1.0,3", "000178_3840,drums,0.8,3", "000200_10,banjo,0.0,3"),
        ),
    )
    folder.text("partitions/split01_test.csv", lines("000135_483840"))
    folder.text("partitions/split01_train.csv", lines("000046_3840", "000178_3840", "000200_10"))
    folder.index("openmic2018_index_1.0.json", tracks)


@makes("mtg_jamendo_autotagging_moodtheme")
def mtg_jamendo_autotagging_moodtheme(folder: Folder) -> None:
    songs = {
        "track_0000948": ("artist_000087", ["background"]),
        "track_0003346": ("artist_000413", ["happy", "horror", "film"]),  # horror is not split
        "track_0003524": ("artist_000092", ["sad"]),
        "track_0009999": ("artist_000099", ["ambiental"]),  # in no split
    }
    head = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"
    rows, tracks = [head], Tracks()
    for key, (artist, tags) in songs.items():
        number = int(key[6:])
        path = f"{number % 100:02d}/{number}.mp3"
        written = "\t".join(f"mood/theme---{tag}" for tag in tags)
        rows.append(f"{key}\t{artist}\talbum_000149\t{path}\t3.0\t{written}")
        tracks[key] = {"audio": folder.tone(f"audios/{path}")}
    folder.text("data/autotagging_moodtheme.tsv", lines(*rows))
    for split in range(5):
        turned = rows[1 + split % 3 : 4] + rows[1 : 1 + split % 3]
        for name, row in zip(("train", "validation", "test"), turned, strict=True):
            path = f"data/splits/split-{split}/autotagging_moodtheme-{name}.tsv"
            folder.text(path, lines(head, row))
    folder.index("mtg_jamendo_autotagging_moodtheme_index_1.0.json", tracks)
