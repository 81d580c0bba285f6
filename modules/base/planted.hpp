// How mistakes are planted to show that a test sees them. The places where one could be made ask
// planted(mistake); the mistakes are an enum beside the code that has them. In a program planted()
// is a constant "no": only a mutant program, whose files that ask are built with MILLRACE_PLANTED,
// chooses.
#pragma once

namespace millrace {

#ifdef MILLRACE_PLANTED
template <class Mistake>
inline Mistake planted_now = Mistake::none;

template <class Mistake>
bool planted(Mistake mistake) {
  return mistake == planted_now<Mistake>;
}
#else
template <class Mistake>
consteval bool planted(Mistake) {
  return false;
}
#endif

}  // namespace millrace
