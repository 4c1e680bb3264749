"""The words of the game. Each begins with its letter; the picture is an emoji every phone and computer can draw."""

WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    "A": (("apple", "🍎"), ("ant", "🐜")),
    "B": (("bear", "🐻"), ("banana", "🍌")),
    "C": (("cat", "🐱"), ("car", "🚗")),
    "D": (("dog", "🐶"), ("duck", "🦆")),
    "E": (("egg", "🥚"), ("elephant", "🐘")),
    "F": (("fish", "🐟"), ("fox", "🦊")),
    "G": (("grapes", "🍇"), ("goat", "🐐")),
    "H": (("house", "🏠"), ("horse", "🐴")),
    "I": (("ice cream", "🍦"), ("island", "🏝️")),
    "J": (("jeans", "👖"),),
    "K": (("key", "🔑"), ("kangaroo", "🦘")),
    "L": (("lion", "🦁"), ("lemon", "🍋")),
    "M": (("moon", "🌙"), ("mouse", "🐭")),
    "N": (("nose", "👃"), ("nut", "🥜")),
    "O": (("octopus", "🐙"), ("owl", "🦉")),
    "P": (("pig", "🐷"), ("pear", "🍐")),
    "Q": (("queen", "👸"),),
    "R": (("rabbit", "🐰"), ("rainbow", "🌈")),
    "S": (("sun", "🌞"), ("snail", "🐌")),
    "T": (("tree", "🌳"), ("tiger", "🐯")),
    "U": (("umbrella", "☂️"), ("unicorn", "🦄")),
    "V": (("violin", "🎻"), ("van", "🚐")),
    "W": (("whale", "🐳"), ("watermelon", "🍉")),
    "X": (("x-ray", "🦴"),),
    "Y": (("yarn", "🧶"),),
    "Z": (("zebra", "🦓"),),
}

# Frequent and easily told apart first, as phonics courses do.
ORDER = "SATPINMDGOCKEURHBFLJVWXYZQ"

# Letters that beginners mix up: one of them is among the choices when there is one.
LOOK_ALIKE = {
    "B": "DPR", "C": "GO", "D": "BPO", "E": "F", "F": "E", "G": "CQ", "I": "LJ", "J": "I", "K": "X", "L": "I",
    "M": "NW", "N": "MZ", "O": "QC", "P": "BR", "Q": "OG", "R": "PB", "S": "Z", "U": "V", "V": "UW", "W": "MV",
    "X": "K", "Y": "V", "Z": "SN",
}  # fmt: skip

CHEERS = (
    "You are doing great!",
    "Letters are fun, aren't they?",
    "Take your time.",
    "What a clever reader you are!",
    "Mistakes help us learn.",
    "Your meadow is growing!",
    "Keep going, you can do it!",
    "Say the word out loud!",
    "Listen to the first sound.",
)
