; A bathroom: both cabinets are closed, the towel hangs in the open.
(define (problem put_towel_closed_cabinet)
(:domain alfred)
(:objects
    agent1 - agent
    loc_bar_0 loc_bar_1 loc_bar_2 loc_bar_3 loc_bar_4 loc_bar_5 - location
    Cabinet_bar_01 Cabinet_bar_02 TowelHolder_bar_01 Sink_bar_01_bar_SinkBasin Toilet_bar_01 - receptacle
    HandTowel_bar_01 SoapBar_bar_01 Candle_bar_01 - object
    CabinetType TowelHolderType SinkBasinType ToiletType - rtype
    HandTowelType SoapBarType CandleType - otype
)
(:init
    (= (total-cost) 0)
    (atLocation agent1 loc_bar_0)
    (receptacleType Cabinet_bar_01 CabinetType) (receptacleAtLocation Cabinet_bar_01 loc_bar_1) (openable Cabinet_bar_01)
    (receptacleType Cabinet_bar_02 CabinetType) (receptacleAtLocation Cabinet_bar_02 loc_bar_2) (openable Cabinet_bar_02)
    (receptacleType TowelHolder_bar_01 TowelHolderType) (receptacleAtLocation TowelHolder_bar_01 loc_bar_3)
    (receptacleType Sink_bar_01_bar_SinkBasin SinkBasinType) (receptacleAtLocation Sink_bar_01_bar_SinkBasin loc_bar_4)
    (receptacleType Toilet_bar_01 ToiletType) (receptacleAtLocation Toilet_bar_01 loc_bar_5)
    (objectType HandTowel_bar_01 HandTowelType) (inReceptacle HandTowel_bar_01 TowelHolder_bar_01) (objectAtLocation HandTowel_bar_01 loc_bar_3)
    (pickupable HandTowel_bar_01)
    (objectType SoapBar_bar_01 SoapBarType) (inReceptacle SoapBar_bar_01 Sink_bar_01_bar_SinkBasin) (objectAtLocation SoapBar_bar_01 loc_bar_4)
    (pickupable SoapBar_bar_01) (cleanable SoapBar_bar_01)
    (objectType Candle_bar_01 CandleType) (inReceptacle Candle_bar_01 Toilet_bar_01) (objectAtLocation Candle_bar_01 loc_bar_5)
    (pickupable Candle_bar_01)
    (canContain CabinetType HandTowelType) (canContain CabinetType SoapBarType) (canContain CabinetType CandleType)
    (canContain TowelHolderType HandTowelType) (canContain TowelHolderType SoapBarType) (canContain TowelHolderType CandleType)
    (canContain SinkBasinType HandTowelType) (canContain SinkBasinType SoapBarType) (canContain SinkBasinType CandleType)
    (canContain ToiletType HandTowelType) (canContain ToiletType SoapBarType) (canContain ToiletType CandleType)
)
(:goal
    (exists (?r - receptacle ?o - object)
        (and (objectType ?o HandTowelType) (receptacleType ?r CabinetType) (inReceptacle ?o ?r)))
)
(:metric minimize (total-cost))
)
