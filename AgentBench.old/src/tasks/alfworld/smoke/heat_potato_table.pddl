; A kitchen: the potato lies in the sink.
(define (problem heat_potato_table)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 - location
    Microwave_bar_01 Sink_bar_01_bar_SinkBasin DiningTable_bar_01 CounterTop_bar_01 - receptacle
    Potato_bar_01 Knife_bar_01 Bread_bar_01 - object
    MicrowaveType SinkBasinType DiningTableType CounterTopType - rtype
    PotatoType KnifeType BreadType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Microwave_bar_01 MicrowaveType) (receptacleAtLocation Microwave_bar_01 loc_bar_1) (openable Microwave_bar_01)
    (receptacleType Sink_bar_01_bar_SinkBasin SinkBasinType) (receptacleAtLocation Sink_bar_01_bar_SinkBasin loc_bar_2)
    (receptacleType DiningTable_bar_01 DiningTableType) (receptacleAtLocation DiningTable_bar_01 loc_bar_3)
    (receptacleType CounterTop_bar_01 CounterTopType) (receptacleAtLocation CounterTop_bar_01 loc_bar_4)
    (objectType Potato_bar_01 PotatoType) (inReceptacle Potato_bar_01 Sink_bar_01_bar_SinkBasin) (objectAtLocation Potato_bar_01 loc_bar_2)
    (pickupable Potato_bar_01) (heatable Potato_bar_01) (coolable Potato_bar_01) (cleanable Potato_bar_01) (sliceable Potato_bar_01)
    (objectType Knife_bar_01 KnifeType) (inReceptacle Knife_bar_01 CounterTop_bar_01) (objectAtLocation Knife_bar_01 loc_bar_4)
    (pickupable Knife_bar_01) (cleanable Knife_bar_01)
    (objectType Bread_bar_01 BreadType) (inReceptacle Bread_bar_01 DiningTable_bar_01) (objectAtLocation Bread_bar_01 loc_bar_3)
    (pickupable Bread_bar_01) (heatable Bread_bar_01) (coolable Bread_bar_01) (sliceable Bread_bar_01)
    (canContain MicrowaveType PotatoType) (canContain MicrowaveType BreadType)
    (canContain SinkBasinType PotatoType) (canContain SinkBasinType KnifeType) (canContain SinkBasinType BreadType)
    (canContain DiningTableType PotatoType) (canContain DiningTableType KnifeType) (canContain DiningTableType BreadType)
    (canContain CounterTopType PotatoType) (canContain CounterTopType KnifeType) (canContain CounterTopType BreadType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o PotatoType) (receptacleType ?r DiningTableType) (heatable ?o) (isHot ?o) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
