import time
from tests.support.city import City
from tests.canary.world import build
def test_build(module_city: City) -> None:
    import cProfile, pstats
    p=cProfile.Profile()
    a=time.process_time()
    world = build(module_city)
    print("CPU", time.process_time()-a)
    for n,m in world.cast.items(): print(n,m.number,m.visit_id,{k:len(v) for k,v in m.ids.items()})
