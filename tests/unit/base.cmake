# The floor of the house.
foreach(name arena doc error executor files histogram log prng ring standard_files text types)
  qnode_test(base_${name}_test unit/base_${name}_test.c)
endforeach()
