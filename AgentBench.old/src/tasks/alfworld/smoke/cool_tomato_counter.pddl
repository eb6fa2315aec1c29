; A kitchen: the tomato lies on the table, the fridge is open.
(define (problem cool_tomato_counter)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Fridge_bar_01 DiningTable_bar_01 CounterTop_bar_01 Cabinet_bar_01 - receptacle
    Tomato_bar_01 Lettuce_bar_01 ButterKnife_bar_01 - object
    FridgeType DiningTableType CounterTopType CabinetType - rtype
    TomatoType LettuceType ButterKnifeType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Fridge_bar_01 FridgeType) (receptacleAtLocation Fridge_bar_01 loc_bar_1) (openable Fridge_bar_01) (opened Fridge_bar_01)
    (receptacleType DiningTable_bar_01 DiningTableType) (receptacleAtLocation DiningTable_bar_01 loc_bar_2)
    (receptacleType CounterTop_bar_01 CounterTopType) (receptacleAtLocation CounterTop_bar_01 loc_bar_3)
    (receptacleType Cabinet_bar_01 CabinetType) (receptacleAtLocation Cabinet_bar_01 loc_bar_4) (openable Cabinet_bar_01)
    (objectType Tomato_bar_01 TomatoType) (inReceptacle Tomato_bar_01 DiningTable_bar_01) (objectAtLocation Tomato_bar_01 loc_bar_2)
    (pickupable Tomato_bar_01) (heatable Tomato_bar_01) (coolable Tomato_bar_01) (cleanable Tomato_bar_01) (sliceable Tomato_bar_01)
    (objectType Lettuce_bar_01 LettuceType) (inReceptacle Lettuce_bar_01 Fridge_bar_01) (objectAtLocation Lettuce_bar_01 loc_bar_1)
    (pickupable Lettuce_bar_01) (coolable Lettuce_bar_01) (cleanable Lettuce_bar_01) (sliceable Lettuce_bar_01)
    (objectType ButterKnife_bar_01 ButterKnifeType) (inReceptacle ButterKnife_bar_01 CounterTop_bar_01) (objectAtLocation ButterKnife_bar_01 loc_bar_3)
    (pickupable ButterKnife_bar_01) (cleanable ButterKnife_bar_01)
    (canContain FridgeType TomatoType) (canContain FridgeType LettuceType)
    (canContain DiningTableType TomatoType) (canContain DiningTableType LettuceType) (canContain DiningTableType ButterKnifeType)
    (canContain CounterTopType TomatoType) (canContain CounterTopType LettuceType) (canContain CounterTopType ButterKnifeType)
    (canContain CabinetType TomatoType) (canContain CabinetType LettuceType) (canContain CabinetType ButterKnifeType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o TomatoType) (receptacleType ?r CounterTopType) (coolable ?o) (isCool ?o) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
