; A kitchen: the egg is in the closed fridge.
(define (problem heat_egg_garbage)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Microwave_bar_01 Fridge_bar_01 GarbageCan_bar_01 StoveBurner_bar_01 - receptacle
    Egg_bar_01 Pan_bar_01 Mug_bar_01 - object
    MicrowaveType FridgeType GarbageCanType StoveBurnerType - rtype
    EggType PanType MugType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Microwave_bar_01 MicrowaveType) (receptacleAtLocation Microwave_bar_01 loc_bar_1) (openable Microwave_bar_01)
    (receptacleType Fridge_bar_01 FridgeType) (receptacleAtLocation Fridge_bar_01 loc_bar_2) (openable Fridge_bar_01)
    (receptacleType GarbageCan_bar_01 GarbageCanType) (receptacleAtLocation GarbageCan_bar_01 loc_bar_3)
    (receptacleType StoveBurner_bar_01 StoveBurnerType) (receptacleAtLocation StoveBurner_bar_01 loc_bar_4)
    (objectType Egg_bar_01 EggType) (inReceptacle Egg_bar_01 Fridge_bar_01) (objectAtLocation Egg_bar_01 loc_bar_2)
    (pickupable Egg_bar_01) (heatable Egg_bar_01) (coolable Egg_bar_01) (cleanable Egg_bar_01)
    (objectType Pan_bar_01 PanType) (inReceptacle Pan_bar_01 StoveBurner_bar_01) (objectAtLocation Pan_bar_01 loc_bar_4)
    (pickupable Pan_bar_01) (coolable Pan_bar_01) (cleanable Pan_bar_01)
    (objectType Mug_bar_01 MugType) (inReceptacle Mug_bar_01 Microwave_bar_01) (objectAtLocation Mug_bar_01 loc_bar_1)
    (pickupable Mug_bar_01) (heatable Mug_bar_01) (coolable Mug_bar_01) (cleanable Mug_bar_01)
    (canContain MicrowaveType EggType) (canContain MicrowaveType PanType) (canContain MicrowaveType MugType)
    (canContain FridgeType EggType) (canContain FridgeType PanType) (canContain FridgeType MugType)
    (canContain GarbageCanType EggType) (canContain GarbageCanType PanType) (canContain GarbageCanType MugType)
    (canContain StoveBurnerType EggType) (canContain StoveBurnerType PanType) (canContain StoveBurnerType MugType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o EggType) (receptacleType ?r GarbageCanType) (heatable ?o) (isHot ?o) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
