"""A library's headers stay in .cpp files, or in a thin wrapper that tools/tidy/exceptions.txt
names.

So a library can be changed in one place, and importers do not pay for parsing it. Programs under
tests/ and bench/ are free: nobody imports them.
"""

from cpp_text import module_lines
from tree import Finding

NAME = "third-party-headers"

STANDARD = set("""
algorithm any array atomic barrier bit bitset cassert ccomplex cctype cerrno cfenv cfloat charconv
chrono cinttypes climits clocale cmath codecvt compare complex concepts condition_variable
coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar
cwctype deque exception execution filesystem format forward_list fstream functional future
initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map memory
memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex
scoped_allocator semaphore set shared_mutex source_location span sstream stack stdexcept stop_token
streambuf string string_view strstream syncstream system_error thread tuple type_traits typeindex
typeinfo unordered_map unordered_set utility valarray variant vector version
""".split())

# The operating system and the compiler's intrinsics.
SYSTEM = set("""
dirent.h endian.h errno.h fcntl.h immintrin.h malloc.h nmmintrin.h poll.h pthread.h sched.h
signal.h stdint.h stdlib.h string.h time.h unistd.h wmmintrin.h x86intrin.h arm_acle.h arm_neon.h
cpuid.h
""".split())
SYSTEM_FOLDERS = ("sys/", "linux/", "netinet/", "arpa/", "net/", "sanitizer/")


def is_third_party(line):
    return (not line.in_quotes and line.name not in STANDARD and line.name not in SYSTEM
            and not line.name.startswith(SYSTEM_FOLDERS))


def findings(tree):
    for file in tree.cpp():
        if file.suffix == ".cpp" or file.is_program:
            continue
        for line in module_lines(file):
            if line.kind == "include" and is_third_party(line):
                yield Finding(file.path, line.number,
                              f"<{line.name}> in an interface: include it in a .cpp file")
